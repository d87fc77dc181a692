// Writes the notice "Not published yet" to pages with commands that install a published version, as long as CHANGELOG.md has no
// released version. With `--check` changes nothing, and exits with 1 if a page would change.
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { posix } from 'node:path'

/** The pages whose notice has its own text. */
const NOTICES = {
  'README.md':
    '   > **Not published yet**: nobody has reserved these names, so these commands may install what somebody else put there. Do the\n   > steps [from a checkout](docs/install.md#from-a-checkout) in their place.',
  'docs/install.md':
    '> **Not published yet**: nobody has reserved these names, so these commands may install what somebody else put there. Do the\n> steps [from a checkout](#from-a-checkout) in their place.',
  'charts/wimds/README.md':
    '> **Not published yet**:\n> [build from a checkout](https://wimds.github.io/wimds/main/install.html#from-a-checkout), with\n> your registry.',
  'docs/tasks/quick-start-aks.md':
    '   > **Not published yet**: do the steps [from a checkout](#from-a-checkout) in place of this command.',
  'docs/migrating.md':
    '> **Not published yet**: write [your registry](install.md#from-a-checkout) in place of `ghcr.io/wimds`.',
  'docs/verify-a-release.md': '> **Not published yet.**',
  'SECURITY.md':
    '> **Not published yet**: there is no private channel. Nobody has reserved the organization `wimds` on GitHub, so report nothing at the\n> address below: the person who reserves the name would read it. The branch `main` gets the security fixes.',
}
/** Finds a command that installs a published version, on pages with the common notice. */
const COMMAND =
  /^ *(?:helm .*oci:\/\/ghcr\.io|(?:sudo )?npm install .* wimds$|(?:url|repoURL): .*ghcr\.io)/m
for (const page of globSync('{docs,examples}/**/*.md')) {
  if (NOTICES[page] !== undefined || !COMMAND.test(readFileSync(page, 'utf8'))) continue
  const install = posix.relative(posix.dirname(page), 'docs/install.md')
  NOTICES[page] = `> **Not published yet**: install [from a checkout](${install}#from-a-checkout).`
}
const PLACE = /(<!-- unless published -->\n)[^]*?( *<!-- until here -->)/

const isPublished = /^## \d/m.test(readFileSync('CHANGELOG.md', 'utf8'))
for (const [page, notice] of Object.entries(NOTICES)) {
  const text = readFileSync(page, 'utf8')
  if (!PLACE.test(text)) throw new Error(`${page} has no line <!-- unless published -->`)
  const changed = text.replace(PLACE, `$1${isPublished ? '' : `\n${notice}\n\n`}$2`)
  if (changed === text) continue
  if (process.argv.includes('--check')) {
    process.stderr.write(`${page} is not current. Fix: node scripts/not-published.mjs\n`)
    process.exitCode = 1
  } else writeFileSync(page, changed)
}
