/** Every block of code in the page "Coming from memfs" runs, and prints what its comments say. */
import { testExamples } from "./document-examples.js";

testExamples("docs/from-memfs.md");
