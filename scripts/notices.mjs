// Collects the licence texts of bundled packages: these licences require that a bundle contains their text.
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The files of a package that hold its licence, or notices that go with it. */
const LEGAL_FILE = /^(?:(?:un)?licen[cs]e|copying|notice|thirdpartynotice)/i
/** The file and the section with the licence of a package that has no legal file. */
const README = /^readme\.md$/i
const README_SECTION = /^#+ licen[cs]e\n+((?:(?!#).*\n?)+)/im
/** Licence texts from the repositories of packages that contain none: NAME.txt. */
const TEXTS = join(import.meta.dirname, 'licence-texts')

/**
 * Returns one text with the licences of these packages (scripts/bundled-packages.mjs). Throws an error that names every package
 * without a licence text, since the bundle must not be distributed without it.
 */
export async function notices(packages) {
  const entries = await Promise.all(packages.map(readLegalTexts))
  const silent = entries.filter(({ texts }) => texts.length === 0).map(({ title }) => title)
  if (silent.length > 0) throw new Error(`no licence text in ${silent.join(', ')}`)
  const rule = `\n\n${'-'.repeat(80)}\n\n`
  const text = entries
    .map(({ title, licence, texts }) => [`${title} (${licence})`, ...texts].join('\n\n'))
    .join(rule)
  return `wimds is bundled with code of these packages.${rule}${text}\n`
}

async function readLegalTexts({ directory, name, version, license }) {
  const files = (await readdir(directory)).toSorted()
  const read = (pattern) =>
    Promise.all(
      files
        .filter((file) => pattern.test(file))
        .map((file) => readFile(join(directory, file), 'utf8')),
    )
  const fromRepository = join(TEXTS, `${name}.txt`)
  let texts = await read(LEGAL_FILE)
  if (texts.length === 0 && existsSync(fromRepository)) {
    texts = [await readFile(fromRepository, 'utf8')]
  }
  if (texts.length === 0) texts = (await read(README)).map(licenceSection)
  return {
    title: `${name} ${version}`,
    licence: license,
    texts: texts.map((text) => text.trim()).filter((text) => text !== ''),
  }
}

const licenceSection = (readme) => README_SECTION.exec(readme)?.[1] ?? ''
