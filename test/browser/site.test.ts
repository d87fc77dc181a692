/** The site of docs/, as `npm run docs:site` has built it. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { glob, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, relative } from 'node:path'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { REF } from '../../src/lib/version.ts'
import { PAGES } from '../docs/pages.ts'
import { listening } from '../fixtures/listening.ts'
import { chromiumPath, launchBrowser, VIEWS } from './chromium.ts'
import { SEARCHES } from './searches.ts'

const DIST = 'site/dist'
const BASE = `/wimds/${REF}/`
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}

/** The HTML of each page by its path on the site. */
const pages = new Map<string, string>()
for await (const file of glob(`${DIST}/**/*.html`)) {
  pages.set(`/wimds/${relative(DIST, file)}`, await readFile(file, 'utf8'))
}

/** Returns the path of a file of the site, as GitHub Pages finds it. */
function pathOf(url: URL): string {
  return url.pathname.replace(/\/$/, '/index.html')
}

const server = createServer((request, response) => {
  const path = pathOf(new URL(request.url ?? '/', 'http://site'))
  const headers = { 'Content-Type': TYPES[extname(path)] ?? '', 'Cache-Control': 'max-age=600' }
  readFile(join(DIST, path.replace('/wimds/', '/'))).then(
    (body) => response.writeHead(200, headers).end(body),
    () => response.writeHead(404).end(),
  )
})

const chromium = chromiumPath() ?? ''
const resources = new AsyncDisposableStack()
let browser: Browser
let origin: string
beforeAll(async () => {
  origin = `http://127.0.0.1:${resources.use(await listening(server)).port}`
  if (chromium !== '') browser = resources.use(await launchBrowser(chromium))
})
afterAll(() => resources.disposeAsync())

/** Opens a page of the site; the console of the browser has to stay empty. */
async function visit(
  path: string,
  view: BrowserContextOptions,
  check: (page: Page) => Promise<void>,
): Promise<void> {
  await using context = await browser.newContext(view)
  const page = await context.newPage()
  const messages: string[] = []
  page.on('console', (message) => messages.push(message.text()))
  page.on('pageerror', (error) => messages.push(error.message))
  await page.goto(origin + path)
  await check(page)
  expect(messages).toEqual([])
}

/** Returns the problem of a link, or undefined. */
function findFault(url: URL): string | undefined {
  const [, file] = /^\/wimds\/wimds\/(?:blob|edit)\/[^/]+\/(.+)$/.exec(url.pathname) ?? []
  if (url.host === 'github.com' && file !== undefined) {
    return existsSync(file) ? undefined : 'no such file in the repository'
  }
  if (url.host !== 'site') return undefined
  const target = pages.get(pathOf(url))
  const anchor = decodeURIComponent(url.hash.slice(1))
  if (target === undefined) {
    return existsSync(join(DIST, url.pathname.replace('/wimds/', '/'))) ? undefined : 'no such page'
  }
  return anchor === '' || target.includes(` id="${anchor}"`) ? undefined : 'no such heading'
}

test('has each page of the repository', () => {
  const html = [...pages.values()].join('\n')
  expect(PAGES.length).toBeGreaterThan(50)
  expect(PAGES.filter((file) => !html.includes(`/edit/main/${file}"`))).toEqual([])
})

test('every link of every page leads to a page, a heading, or a file of the repository', () => {
  const links = [...pages].flatMap(([path, html]) =>
    [...html.matchAll(/ (?:href|src)="([^"]+)"/g)].map(([, href = '']) => ({
      path,
      href: href.replaceAll('&amp;', '&'),
    })),
  )
  const broken = links
    .map(({ path, href }) => ({
      path,
      href,
      fault: findFault(new URL(href, `http://site${path}`)),
    }))
    .filter(({ fault }) => fault !== undefined)
  expect(links.length).toBeGreaterThan(1000)
  expect(broken).toEqual([])
})

test('every link in a released file leads to a page and a heading', async () => {
  const texts: string[] = []
  for await (const file of glob('{src,charts,examples}/**/*.{ts,md,yaml,txt,json}')) {
    texts.push(await readFile(file, 'utf8'))
  }
  const text = texts.join('\n')
  const LINK = /https:\/\/wimds\.github\.io(\/wimds\/[\w.-]+\/[\w./-]*(?:#[\w-]+)?)/g
  const PAGE = /docsPage\('([^']+)'(?:, '([^']+)')?/g
  const links = [
    ...[...text.matchAll(LINK)].map(([, link = '']) => link),
    ...[...text.matchAll(PAGE)].map(([, page, section = '']) => `${BASE}${page}.html#${section}`),
  ]
  expect(links.length).toBeGreaterThan(50)
  expect(links.filter((link) => findFault(new URL(link, 'http://site')) !== undefined)).toEqual([])
})

test('finds what people type: nine of ten first, 98 of 100 in the first three', () => {
  const input = SEARCHES.map(({ typed }) => typed).join('\n')
  const found = execFileSync('node', ['site/search.mjs'], { input, encoding: 'utf8' })
  const lines = found.trimEnd().split('\n')
  const ranks = SEARCHES.map(({ typed, answers }, index) => {
    const ids: readonly string[] = JSON.parse(lines[index] ?? '[]')
    const rank = ids.findIndex((id) => answers.some((answer) => isAnswer(id, answer)))
    return { typed, rank: rank + 1 }
  })
  const later = ranks.filter(({ rank }) => rank !== 1)
  const lost = later.filter(({ rank }) => rank < 1 || rank > 3)
  expect(later.slice(ranks.length / 10)).toEqual([])
  expect(lost.slice(ranks.length / 50)).toEqual([])
})

/** Is true for the section, and for any section of the page. */
function isAnswer(id: string, answer: string): boolean {
  const section = id.replace(BASE, '').replace('.html', '')
  return section === answer || section.startsWith(`${answer}#`)
}

test('every answer to a search, and every section with words for it, is a page or a section', async () => {
  const table = await readFile('site/.vitepress/words.mjs', 'utf8')
  const worded = [...table.matchAll(/^(?:const TABLE = `)?(\S+) \| /gm)].map(
    ([, section = '']) => section,
  )
  const links = [...SEARCHES.flatMap(({ answers }) => answers), ...worded].map((answer) => {
    const [page = '', anchor] = answer.split('#')
    const path = page === '' || page.endsWith('/') ? page : `${page}.html`
    return new URL(anchor === undefined ? path : `${path}#${anchor}`, `http://site${BASE}`)
  })
  expect(worded.length).toBeGreaterThan(70)
  expect(links.filter((link) => findFault(link) !== undefined).map(String)).toEqual([])
})

test.skipIf(chromium === '')('the box of the search leads to the best section', async () => {
  await visit(BASE, VIEWS.light, async (page) => {
    const input = page.locator('#localsearch-input')
    // The site listens for the key once the scripts of the page have run.
    await expect.poll(() => page.keyboard.press('Control+k').then(() => input.count())).toBe(1)
    await input.fill('AADSTS700213')
    const result = page.locator('#localsearch-list a').first()
    await expect.poll(() => result.getAttribute('href')).toBe(`${BASE}aadsts.html#aadsts700213`)
    await page.screenshot({ path: 'coverage/screenshots/site-search.png' })
  })
})

test.skipIf(chromium === '')('no page is wider than a phone', { timeout: 300_000 }, async () => {
  await visit(BASE, VIEWS.phone, async (page) => {
    await page.screenshot({ path: 'coverage/screenshots/site-phone.png' })
    const wide: string[] = []
    for (const path of [...pages.keys()].filter((each) => each.startsWith(BASE))) {
      await page.goto(origin + path)
      const width = await page.evaluate('document.documentElement.scrollWidth')
      if (width !== VIEWS.phone.viewport.width) wide.push(`${path}: ${String(width)}`)
    }
    expect(wide).toEqual([])
  })
})
