/** The place of each page of the repository on the site, and the targets of its links. */
import { existsSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { REF } from '../../src/lib/version.ts'

export const REPOSITORY = 'https://github.com/wimds/wimds'
const FILES = `${REPOSITORY}/blob/${REF}`

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The pages outside docs/. README.md is the page that the site opens with. */
const PLACES = {
  'README.md': 'index.md',
  'docs/README.md': 'documentation.md',
  'charts/wimds/README.md': 'chart.md',
  'examples/README.md': 'examples.md',
  'examples/fleet/README.md': 'examples-fleet.md',
  'examples/observability/README.md': 'observability.md',
  'CHANGELOG.md': 'changelog.md',
  'CONTRIBUTING.md': 'contributing.md',
  'SECURITY.md': 'security-policy.md',
}

/** Returns the path on the site of a page of the repository; undefined for a file that is no page of the site. */
export function findPlace(file) {
  if (file in PLACES) return PLACES[file]
  if (!file.startsWith('docs/') || !file.endsWith('.md')) return undefined
  return file.slice('docs/'.length).replace(/README\.md$/, 'index.md')
}

/** Returns where a link of a page leads: to a page of the site, or else to a file of the repository on GitHub. */
export function findTarget(href, page) {
  if (/^([a-z]+:|#)/.test(href)) return href
  const [path, anchor] = href.split('#')
  const file = posix.join(posix.dirname(page), path)
  const hash = anchor === undefined ? '' : `#${anchor}`
  if (!existsSync(ROOT + file)) throw new Error(`${page}: there is no ${file}`)
  const place = findPlace(file)
  return place === undefined ? `${FILES}/${file}${hash}` : `/${place}${hash}`
}

/** Is a plugin of markdown-it. */
export function rewriteLinks(markdown) {
  markdown.core.ruler.push('wimds-links', ({ tokens, env }) => {
    const page = posix.relative(ROOT, env.realPath ?? env.path)
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      if (token.type === 'link_open') {
        token.attrSet('href', findTarget(token.attrGet('href'), page))
      }
    }
  })
}
