/** A worker of a binding, with a runtime of the test's own. */
import { runBindingThreads } from "../../../dist/src/napi-rs.js";
import { FakeHandler, instantiateThread } from "./runtime.js";

runBindingThreads({ MessageHandler: FakeHandler, instantiateNapiModuleSync: instantiateThread }, { stdout: "ignore" });
