/** The sidebar: the headings and links of docs/README.md, and the decisions. */
import { readdirSync, readFileSync } from 'node:fs'
import { findTarget } from './links.mjs'

const INDEX = new URL('../../docs/README.md', import.meta.url)
const DECISIONS = new URL('../../docs/decisions/', import.meta.url)

/** Returns a group of links for each section of the index, and one for the decisions, which is closed. */
export function readSidebar() {
  const groups = readFileSync(INDEX, 'utf8')
    .split(/^##? /m)
    .slice(1)
    .map((section) => {
      const text = section.slice(0, section.indexOf('\n'))
      return { text, items: readLinks(section) }
    })
  return [...groups, { text: 'Decisions', collapsed: true, items: listDecisions() }]
}

/** Returns a link with the title of each page. */
function listDecisions() {
  return readdirSync(DECISIONS)
    .filter((file) => /^\d/.test(file))
    .map((file) => {
      const [, text] = /^# (.+)$/m.exec(readFileSync(new URL(file, DECISIONS), 'utf8'))
      return { text, link: `/decisions/${file}` }
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
