// Builds dist/, with licence texts and an SBOM for each bundle:
//   wimds.js          the command line
//   FOLDER/NAME.mjs   a module per command, in the folders of src/, with the chunks that the commands share
//   node/…/NAME.cjs   a script for each command that runs on every node
//   serve.cjs         the sidecar as one script, with its compiled code (docs/decisions/0007)
//   demo/             the application that `wimds demo` runs
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { bundledPackages } from './bundled-packages.mjs'
import { compileSidecar } from './compile.mjs'
import { notices } from './notices.mjs'
import { formatSbom } from './sbom.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = `${root}dist/`
const common = {
  absWorkingDir: root,
  outdir: dist,
  outbase: 'src',
  bundle: true,
  // Identifiers are not minified, since stack traces in log lines show function names.
  minifyWhitespace: true,
  minifySyntax: true,
  platform: 'node',
  target: 'node22',
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
}
const script = {
  ...common,
  format: 'cjs',
  define: {
    'import.meta.dirname': '__dirname',
    'import.meta.filename': '__filename',
    // Leaves an experimental second HTTP parser out of undici, as Node's own build does.
    esbuildDetection: 'true',
  },
}

/**
 * The commands that run permanently on each node. Each is one script, to save memory: a shared chunk also has code that only other
 * commands use, and an ES module that imports node:http loads Node's `fetch`.
 */
const ON_EACH_NODE = ['src/node/agent/node-agent.ts', 'src/node/broker/node-broker.ts']

/**
 * Leaves the modules of the commands out of wimds.js, and collects them as entry points. Keeps the module that runs serve.cjs in it,
 * and the flags of the azure-workload-identity proxy.
 */
const commands = new Set()
const separateCommands = {
  name: 'separate-commands',
  setup({ onResolve }) {
    onResolve({ filter: /^\..*\.ts$/ }, ({ path, kind, resolveDir }) => {
      if (kind !== 'dynamic-import' || /drop-in|precompiled/.test(path)) return undefined
      const file = relative(`${root}src`, join(resolveDir, path))
      commands.add(`src/${file}`)
      const extension = ON_EACH_NODE.includes(`src/${file}`) ? 'cjs' : 'mjs'
      return { path: `./${file.replace(/ts$/, extension)}`, external: true }
    })
  },
}

/**
 * Packages that dependencies of the sidecar and of the node commands load but never call here: Fastify's schema compilers, `inject`
 * and trusted proxies, MSAL's certificate assertions, pino's worker threads, prom-client's exemplars, Node's HTTP/2. Without them
 * the sidecar starts with 4 MB less.
 */
const NEVER_CALLED = [
  '@fastify/ajv-compiler',
  '@fastify/fast-json-stringify-compiler',
  'light-my-request',
  'semver',
  'jsonwebtoken',
  '@opentelemetry/api',
  'thread-stream',
  'worker_threads',
  '@fastify/proxy-addr',
  'node:http2',
  'node:https',
]

const leaveOut = (names) =>
  Object.fromEntries(names.map((name) => [name, './scripts/not-bundled.cjs']))

const modules = {
  ...common,
  format: 'esm',
  splitting: true,
  outExtension: { '.js': '.mjs' },
  // CommonJS packages in an ES module need `require`.
  banner: {
    js: "import{createRequire as $createRequire}from'node:module';const require=$createRequire(import.meta.url);",
  },
}

/**
 * Throws an error if the script has a character outside ASCII, since it is loaded as Latin-1. esbuild escapes such characters in
 * strings, but not in tagged templates and regular expressions.
 */
async function checkAscii(path) {
  const lines = (await readFile(path, 'latin1')).split('\n')
  const index = lines.findIndex((line) => /[^\0-\x7f]/.test(line))
  if (index === -1) return
  throw new Error(
    `${path}:${index + 1} is not ASCII: ${lines[index].trim().slice(0, 80)}. Fix: write the character as an escape or an HTML entity`,
  )
}

/** Writes the licence texts and the SBOM of these builds. */
async function describeBundle(directory, name, builds) {
  const metafiles = builds.map(({ metafile }) => metafile)
  const packages = await bundledPackages(metafiles, root)
  await writeFile(`${directory}THIRD-PARTY-LICENSES.txt`, await notices(packages))
  await writeFile(`${directory}sbom.cdx.json`, formatSbom(name, version, packages))
}

/** The scripts and entry points of each image. Other commands print an error in that image. */
const IMAGES = {
  wimds: {
    scripts: ['wimds.js', 'serve.cjs'],
    entryPoints: [
      'sidecar/probe.ts',
      'sidecar/redirect.ts',
      'sidecar/declaration.ts',
      'tools/token.ts',
      'tools/env.ts',
      'tools/doctor/doctor.ts',
      'cli/help.ts',
      'cli/version-command.ts',
    ],
  },
  'wimds-cluster': {
    scripts: ['wimds.js'],
    entryPoints: [
      'injection/webhook/webhook.ts',
      'node/agent/node-agent.ts',
      'node/broker/node-broker.ts',
      'sidecar/probe.ts',
      'cli/help.ts',
      'cli/version-command.ts',
    ],
  },
}
/** The checks of doctor from outside a pod. `wimds doctor` imports them dynamically, and the sidecar's image does not have them. */
const OUTSIDE = /^src\/tools\/doctor\/(?:pod|pre)\//

/** Returns the sorted outputs in dist/ that these entry points load. */
function findImageFiles(outputs, entryPoints) {
  const found = new Set()
  const add = (path) => {
    const { imports } = outputs[path]
    if (found.has(path)) return
    found.add(path)
    for (const { path: next, kind } of imports) {
      if (outputs[next] === undefined) continue
      if (kind === 'dynamic-import' && OUTSIDE.test(outputs[next].entryPoint ?? '')) continue
      add(next)
    }
  }
  const byEntryPoint = Object.entries(outputs).map(([path, { entryPoint }]) => [entryPoint, path])
  for (const name of entryPoints) {
    const [, path] = byEntryPoint.find(([entryPoint]) => entryPoint === `src/${name}`) ?? []
    if (path === undefined) throw new Error(`no output of src/${name}`)
    add(path)
  }
  return [...found].map((path) => path.slice('dist/'.length)).toSorted((a, b) => (a < b ? -1 : 1))
}

const { version, engines } = JSON.parse(await readFile(`${root}package.json`, 'utf8'))
const [, major, minor] = /^>=(\d+)\.(\d+)$/.exec(engines.node)
/** Rejects an older Node. Runs before any function that an older Node lacks, and in syntax that it can parse. */
const CHECK_NODE = `(function(v){
if(v[0]>${major}||v[0]==${major}&&v[1]>=${minor})return;
console.error("wimds: Node "+process.versions.node+" is too old. Fix: install Node ${major}.${minor} or later");
process.exit(64);
})(process.versions.node.split("."));`

await rm(dist, { recursive: true, force: true })
const cli = await build({
  ...script,
  entryPoints: { wimds: 'src/cli.ts' },
  // An older Node has to parse the whole script before the check of its version can run.
  target: 'node12.22',
  // The Dockerfile replaces the first line by one with the absolute path of the image's Node.
  banner: { js: `#!/usr/bin/env node\n'use strict';\n${CHECK_NODE}` },
  plugins: [separateCommands],
})
const sidecar = await build({
  ...script,
  entryPoints: { serve: 'src/sidecar/serve.ts' },
  outExtension: { '.js': '.cjs' },
  alias: leaveOut(NEVER_CALLED),
  // The function that src/cli/precompiled.ts calls. If precompiled.ts added it, the text would be in memory twice.
  banner: { js: '(function(exports,require,module){' },
  footer: { js: '})' },
  // vm.Script, which runs it, has no `import()`.
  supported: { 'dynamic-import': false },
})
const others = await build({
  ...modules,
  // Sorted, since esbuild finds imports in any order, and names chunks by the order of the entry points.
  entryPoints: [...commands]
    .filter((path) => !path.endsWith('/serve.ts') && !ON_EACH_NODE.includes(path))
    .toSorted((a, b) => (a < b ? -1 : 1)),
  // MSAL's certificate assertions, which nothing calls.
  alias: leaveOut(['jsonwebtoken']),
})
const onEachNode = await build({
  ...script,
  entryPoints: ON_EACH_NODE,
  outExtension: { '.js': '.cjs' },
  alias: leaveOut(NEVER_CALLED),
})
const application = await build({
  ...modules,
  splitting: false,
  entryPoints: { 'demo/application': 'examples/managed-identity/fetch-secret.mjs' },
  // MSAL's certificate assertions, which nothing calls.
  alias: leaveOut(['jsonwebtoken']),
})
await writeFile(`${dist}package.json`, '{"type":"commonjs"}\n')
const builds = [cli, sidecar, others, onEachNode]
await describeBundle(dist, 'wimds', builds)
await describeBundle(`${dist}demo/`, 'wimds-demo-application', [application])
const outputs = Object.assign({}, ...builds.map(({ metafile }) => metafile.outputs))
for (const [image, { entryPoints, scripts }] of Object.entries(IMAGES)) {
  const files = findImageFiles(outputs, entryPoints)
  const own = [...scripts, ...files].map((file) => [`dist/${file}`, outputs[`dist/${file}`]])
  await mkdir(`${dist}images/${image}`, { recursive: true })
  await describeBundle(`${dist}images/${image}/`, image, [
    { metafile: { outputs: Object.fromEntries(own) } },
  ])
  await writeFile(
    `${dist}images/${image}/files`,
    [...scripts, ...files].map((file) => `${file}\n`).join(''),
  )
}
await checkAscii(`${dist}serve.cjs`)
await compileSidecar(dist)
