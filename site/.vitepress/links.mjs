/** Links of docs/ on the site: its pages are pages of the site, every other file is one of the repository. */
import { existsSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DOCS_URL } from '../../src/lib/version.ts'

export const REPOSITORY = 'https://github.com/wimds/wimds'
/** The branch or tag to which the links in messages lead. */
export const REF = posix.basename(DOCS_URL)
const FILES = `${REPOSITORY}/blob/${REF}`

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Returns where a link of a page of docs/ leads on the site. */
export function findTarget(href, page) {
  if (/^([a-z]+:|#)/.test(href)) return href
  const [path, anchor] = href.split('#')
  const file = posix.join('docs', posix.dirname(page), path)
  const hash = anchor === undefined ? '' : `#${anchor}`
  if (!existsSync(root + file)) throw new Error(`docs/${page}: there is no ${file}`)
  if (file.startsWith('docs/') && file.endsWith('.md')) {
    return `/${file.slice('docs/'.length).replace(/README\.md$/, 'index.md')}${hash}`
  }
  return `${FILES}/${file}${hash}`
}

/** Is a plugin of markdown-it. */
export function rewriteLinks(markdown) {
  markdown.core.ruler.push('wimds-links', ({ tokens, env }) => {
    const page = (env.realPath ?? env.path).split('/docs/').at(-1)
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      if (token.type === 'link_open') {
        token.attrSet('href', findTarget(token.attrGet('href'), page))
      }
    }
  })
}
