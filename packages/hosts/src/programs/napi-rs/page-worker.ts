/** A worker that runs threads of rolldown's binding. */
import * as runtime from "@emnapi/core";
import { runBindingThreads } from "threadfs/napi-rs";

runBindingThreads(runtime);
