/** A worker that runs threads of a binding. */
import * as runtime from "@emnapi/core";
import { runBindingThreads } from "threadfs/napi-rs";

runBindingThreads(runtime);
