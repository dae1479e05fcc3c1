// Validate workflow and action files with GitHub's own language service.
// Arguments: the repository's root, then files in it, whose names decide what they are.
// Prints [{file, line, message, severity}].
import {readFile} from "node:fs/promises";
import {join} from "node:path";
import {pathToFileURL} from "node:url";
import {validate} from "@actions/languageservice";
import {TextDocument} from "vscode-languageserver-textdocument";

const severities = {1: "error", 2: "warning", 3: "information", 4: "hint"};
const [root, ...files] = process.argv.slice(2);

// With this the service follows references inside the repository (`$/…`) and checks what is passed there.
const config = {
  fileProvider: {
    getFileContent: async ({path}) => ({name: path, content: await readFile(join(root, path), "utf8")})
  }
};

async function problemsOf(file) {
  const document = TextDocument.create(pathToFileURL(file).toString(), "yaml", 1, await readFile(file, "utf8"));
  return (await validate(document, config)).map(problem => ({
    file,
    line: problem.range.start.line + 1,
    message: problem.message,
    severity: severities[problem.severity ?? 1]
  }));
}

Promise.all(files.map(problemsOf)).then(found => console.log(JSON.stringify(found.flat())));
