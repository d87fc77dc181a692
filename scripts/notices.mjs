// What the licences of bundled packages ask for: their texts, beside the bundle.
import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

/** The files of a package that hold its licence, or notices that go with it. */
const LEGAL_FILE = /^(?:(?:un)?licen[cs]e|copying|notice|thirdpartynotice)/i
/** Where a package that has no such file says the same. */
const README = /^readme\.md$/i
const README_SECTION = /^#+ licen[cs]e\n+((?:(?!#).*\n?)+)/im

/**
 * One text for all packages that have code in the outputs of these esbuild metafiles. Throws an error
 * that names every package without a licence text, since the bundle could not be passed on lawfully.
 */
export async function notices(metafiles, root) {
  const packages = await Promise.all(directoriesOf(metafiles, root).map(legalOf))
  const silent = packages.filter(({ texts }) => texts.length === 0).map(({ title }) => title)
  if (silent.length > 0) throw new Error(`no licence text in ${silent.join(', ')}`)
  const entries = packages
    .toSorted((one, other) => one.title.localeCompare(other.title, 'en'))
    .map(({ title, licence, texts }) => [`${title} (${licence})`, ...texts].join('\n\n'))
  const rule = `\n\n${'-'.repeat(80)}\n\n`
  return `wimds is bundled with code of these packages.${rule}${entries.join(rule)}\n`
}

/** The directories, nested ones too, of the packages that have bytes in an output. */
function directoriesOf(metafiles, root) {
  const inputs = metafiles
    .flatMap(({ outputs }) => Object.values(outputs))
    .flatMap((output) => Object.entries(output.inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    // Plugins put a namespace before the path: `on-call:/…`.
    .map(([path]) => /^(?:[\w-]+:)?(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
    .filter((path) => path !== undefined)
  return [...new Set(inputs.map((path) => resolve(root, path)))]
}

async function legalOf(directory) {
  const { name, version, license } = JSON.parse(
    await readFile(join(directory, 'package.json'), 'utf8'),
  )
  const files = (await readdir(directory)).toSorted()
  const read = (pattern) =>
    Promise.all(
      files
        .filter((file) => pattern.test(file))
        .map((file) => readFile(join(directory, file), 'utf8')),
    )
  const own = await read(LEGAL_FILE)
  const texts = own.length > 0 ? own : (await read(README)).map(licenceSection)
  return {
    title: `${name} ${version}`,
    licence: license,
    texts: texts.map((text) => text.trim()).filter((text) => text !== ''),
  }
}

const licenceSection = (readme) => README_SECTION.exec(readme)?.[1] ?? ''
