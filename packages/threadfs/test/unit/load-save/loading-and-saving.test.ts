/** Every block of code in the page "Loading and saving a tree" runs, and prints what its comments say. */
import { testExamples } from "./document-examples.js";

testExamples("docs/loading-and-saving.md");
