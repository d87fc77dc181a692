/** Lists the pages of the project and their fenced blocks. */
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

interface Block {
  /** `docs/logs.md:12` */
  readonly place: string
  /** The word after the fence; empty for plain text. */
  readonly language: string
  readonly text: string
  /** The name in a comment `<!-- run: NAME -->` before the block, by which a test runs it; else undefined. */
  readonly run: string | undefined
}

export const readPage = (page: string): string => readFileSync(join(ROOT, page), 'utf8')

/** Resolves a link of a page to an absolute path. */
export const resolveFrom = (page: string, path: string): string =>
  resolve(ROOT, dirname(page), path)

const FENCED = /^( *)```(.*)\n([^]*?)^ *```$/gm

/** Every fenced block of every page, without its indentation. */
export const BLOCKS: readonly Block[] = PAGES.flatMap((page) => {
  const text = readPage(page)
  return [...text.matchAll(FENCED)].map(
    ({ index, 1: indent = '', 2: language = '', 3: body = '' }) => {
      const before = text.slice(0, index)
      return {
        place: `${page}:${before.split('\n').length}`,
        language,
        text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
        run: /<!-- run: ([\w-]+) -->\s*$/.exec(before)?.[1],
      }
    },
  )
})

/** Returns the commands of the block that the page marks with this name. Throws an error unless there is one. */
export function findCommands(page: string, name: string): string {
  const [block, ...more] = BLOCKS.filter(
    ({ place, run }) => place.startsWith(`${page}:`) && run === name,
  )
  if (block === undefined || more.length > 0) {
    throw new Error(`${page} has ${more.length + (block ? 1 : 0)} blocks marked run: ${name}`)
  }
  return block.text
}
