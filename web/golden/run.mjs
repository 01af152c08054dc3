// Runs one of the Python scripts with the Python that $PYTHON names, the project's environment, or python3.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

const here = new URL(".", import.meta.url).pathname;
const environment = `${here}../../.venv/bin/python`;
const python = process.env.PYTHON ?? (existsSync(environment) ? environment : "python3");
const script = process.argv[2] === "page" ? "../benchmarks/make_page.py" : "make.py";
execFileSync(python, [`${here}${script}`], { stdio: "inherit" });
