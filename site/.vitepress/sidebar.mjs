/** The sidebar: the headings and links of docs/README.md. */
import { readFileSync } from 'node:fs'
import { findTarget } from './links.mjs'

const INDEX = new URL('../../docs/README.md', import.meta.url)

/** Returns a group of links for each section of the index. */
export function readSidebar() {
  return readFileSync(INDEX, 'utf8')
    .split(/^##? /m)
    .slice(1)
    .map((section) => {
      const text = section.slice(0, section.indexOf('\n'))
      return { text, items: readLinks(section) }
    })
}

function readLinks(section) {
  return [...section.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)].map(([, words, href]) => {
    const text = words.replaceAll('`', '').replaceAll(/\s+/g, ' ')
    return { text: capitalize(text), link: findTarget(href, 'docs/README.md') }
  })
}

function capitalize(text) {
  return text.startsWith('wimds') ? text : text[0].toUpperCase() + text.slice(1)
}
