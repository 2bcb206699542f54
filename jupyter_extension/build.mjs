// Bundles each folder of src that has an index.ts into mirascope_ops/views/static/<folder>.js, with its style sheet.
// `--watch` does so whenever a file changes; `--tests` bundles the tests into build/tests instead.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const folders = (name) => readdirSync(join(here, name), { withFileTypes: true });

const entries = folders("src")
  .filter((entry) => entry.isDirectory() && existsSync(join(here, "src", entry.name, "index.ts")))
  .map((entry) => ({ in: join(here, "src", entry.name, "index.ts"), out: entry.name }));

// `@import "tokens.css?for=x"`: the design's tokens for elements of the class x. Static outputs on the same page reset
// all that stands in an element of the class mo, for which the tokens are written.
const tokens = {
  name: "tokens",
  setup(build) {
    build.onLoad({ filter: /tokens\.css$/ }, ({ path, suffix }) => {
      const owner = /^\?for=([\w-]+)$/.exec(suffix)?.[1];
      const contents = readFileSync(path, "utf8");
      return {
        contents: owner ? contents.replaceAll(/\.mo\b/g, `.${owner}`) : contents,
        loader: "css",
        watchFiles: [path],
      };
    });
  },
};

const bundles = {
  entryPoints: entries,
  plugins: [tokens],
  outdir: join(here, "..", "mirascope_ops", "views", "static"),
  bundle: true,
  format: "esm",
  target: ["es2022", "chrome111", "firefox121", "safari17"],
  minify: true,
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
};

const tests = () => ({
  entryPoints: readdirSync(join(here, "tests"))
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => join(here, "tests", name)),
  outdir: join(here, "build", "tests"),
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: "inline",
  logLevel: "warning",
});

if (process.argv.includes("--tests")) {
  rmSync(tests().outdir, { recursive: true, force: true });
  await esbuild.build(tests());
} else if (process.argv.includes("--watch")) {
  const context = await esbuild.context({ ...bundles, logLevel: "info" });
  await context.watch();
} else {
  await esbuild.build(bundles);
}
