// Runs one of the Python scripts with the Python that $PYTHON names, the project's environment, or python3.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const environment = `${here}../../.venv/bin/python`;
const python = process.env.PYTHON ?? (existsSync(environment) ? environment : "python3");
const scripts = { page: "../benchmarks/make_page.py", report: "report.py" };
execFileSync(python, [`${here}${scripts[process.argv[2]] ?? "make.py"}`], { stdio: "inherit" });
