// Validate workflow and action files with GitHub's own language service.
// Arguments: files; their names decide what they are. Prints [{file, line, message, severity}].
import {readFileSync} from "node:fs";
import {pathToFileURL} from "node:url";
import {validate} from "@actions/languageservice";
import {TextDocument} from "vscode-languageserver-textdocument";

const severities = {1: "error", 2: "warning", 3: "information", 4: "hint"};

async function problemsOf(file) {
  const document = TextDocument.create(pathToFileURL(file).toString(), "yaml", 1, readFileSync(file, "utf8"));
  return (await validate(document)).map(problem => ({
    file,
    line: problem.range.start.line + 1,
    message: problem.message,
    severity: severities[problem.severity ?? 1]
  }));
}

Promise.all(process.argv.slice(2).map(problemsOf)).then(found => console.log(JSON.stringify(found.flat())));
