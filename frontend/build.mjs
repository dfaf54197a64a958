// Builds frontend/src into src/rushes/web/dist: every script and style sheet directly in src/ is an entry of its own,
// folders beside them hold what the entries import, and pages (*.html) and pictures are copied as they are.
// versions.json is there only when all the rest is.
import { build } from "esbuild";
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "src");
const target = join(here, "..", "src", "rushes", "web", "dist");
const dist = `${target}.new`; // put in place when it is whole: servers may be reading what is there
const bundled = new Set([".js", ".ts", ".css"]);
const copied = new Set([".html", ".svg", ".png", ".ico", ".webmanifest"]);

const names = (await readdir(source, { withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => entry.name);

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
const result = await build({
  absWorkingDir: here,
  entryPoints: names.filter((name) => bundled.has(extname(name))).map((name) => join(source, name)),
  outdir: dist,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "linked", // licence headers of what is bundled, in a file beside each bundle
  logLevel: "warning",
  metafile: true,
});
for (const name of names.filter((name) => copied.has(extname(name)))) {
  await cp(join(source, name), join(dist, name));
}

// The packages that really went into the bundles, with their versions and the text of their licences.
const packages = new Set();
for (const input of Object.keys(result.metafile.inputs)) {
  const match = input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//);
  if (match) packages.add(match[1]);
}
const versions = {};
const licences = [];
for (const name of [...packages].sort()) {
  const folder = join(here, "node_modules", name);
  const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  versions[name] = version;
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? await readFile(join(folder, file), "utf8") : "";
  licences.push(`${name} ${version} (${license})\n\n${text}`);
}
await writeFile(join(dist, "LICENSES.txt"), licences.join(`\n${"-".repeat(80)}\n\n`));
await writeFile(join(dist, "versions.json"), JSON.stringify(versions, null, 2) + "\n");
await rm(target, { recursive: true, force: true });
await rename(dist, target);
