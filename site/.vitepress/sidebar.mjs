/** The sidebar: the headings and links of docs/README.md, and the pages of the recipes and the decisions. */
import { readdirSync, readFileSync } from 'node:fs'
import { findTarget } from './links.mjs'

const INDEX = new URL('../../docs/README.md', import.meta.url)

/** Returns a group of links for each section of the index, and one for each folder with many pages, which is closed. */
export function readSidebar() {
  const groups = readFileSync(INDEX, 'utf8')
    .split(/^##? /m)
    .slice(1)
    .map((section) => {
      const text = section.slice(0, section.indexOf('\n'))
      return { text, items: readLinks(section) }
    })
  return [...groups, listFolder('Recipes', 'recipes'), listFolder('Decisions', 'decisions')]
}

/** Returns a group with the title of each page of a folder of docs/. */
function listFolder(text, folder) {
  const items = readdirSync(new URL(`${folder}/`, INDEX))
    .filter((file) => file !== 'README.md')
    .map((file) => {
      const [, title] = /^# (.+)$/m.exec(readFileSync(new URL(`${folder}/${file}`, INDEX), 'utf8'))
      return {
        text: title,
        link: `/${folder}/${file}`,
      }
    })
  return { text, collapsed: true, items }
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
