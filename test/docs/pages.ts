/** The pages of the project, and what they show of code: blocks, and spans within a sentence. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Every page that people read, by its path in the repository. */
export const PAGES: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  ...['docs', 'examples', 'charts'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`)
      .toSorted(),
  ),
]

/** Something of a page, and where it stands: `docs/logs.md:12`. */
export interface Excerpt {
  readonly place: string
  readonly text: string
}

export interface Block extends Excerpt {
  /** What stands after the fence; empty for plain text. */
  readonly language: string
}

export const readPage = (page: string): string => readFileSync(join(ROOT, page), 'utf8')

/** Whether a link or a file's name on a page leads to something in the repository. */
export const resolveFrom = (page: string, path: string): string =>
  resolve(ROOT, dirname(page), path)

const FENCED = /^( *)```(.*)\n([^]*?)^ *```$/gm

/** Every fenced block of every page, without its indentation. */
export const BLOCKS: readonly Block[] = PAGES.flatMap((page) => {
  const text = readPage(page)
  return [...text.matchAll(FENCED)].map(
    ({ index, 1: indent = '', 2: language = '', 3: body = '' }) => ({
      place: placeOf(page, text, index),
      language,
      text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  )
})

/** Every `span` of every page that is outside of blocks, on one line. */
export const SPANS: readonly Excerpt[] = PAGES.flatMap((page) => {
  const text = readPage(page)
  // Blocks are blanked, so that the numbers of lines stay.
  const prose = text.replaceAll(FENCED, (block) => block.replaceAll(/[^\n]/g, ' '))
  return [...prose.matchAll(/(?<!`)`([^`]+)`(?!`)/g)].map(({ index, 1: span = '' }) => ({
    place: placeOf(page, text, index),
    text: span.replaceAll(/\s+/g, ' '),
  }))
})

/** The manifests of examples/, by their paths in the repository. */
export const MANIFESTS: readonly string[] = ['examples/kubernetes', 'examples/services'].flatMap(
  (folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => `${folder}/${name}`),
)

/** Every command of Azure's that a manifest has in its comments. */
export const COMMENTED: readonly Excerpt[] = MANIFESTS.flatMap((file) => {
  const text = readPage(file)
  return [...text.matchAll(/^# +az (?:.*\\\n)*.*$/gm)].map(({ index, 0: command }) => ({
    place: placeOf(file, text, index),
    text: command.replaceAll(/^# +/gm, ''),
  }))
})

/** The page of a place. */
export const pageOf = ({ place }: Excerpt): string => place.replace(/:\d+$/, '')

function placeOf(page: string, text: string, index: number): string {
  return `${page}:${text.slice(0, index).split('\n').length}`
}
