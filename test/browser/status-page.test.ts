import { mkdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { StatusDocument } from '../../src/broker/telemetry/status-schema.ts'
import { chromiumPath, launchBrowser, VIEWS } from './chromium.ts'
import { DEGRADED, FAILING, hostile, READY, STARTING } from './documents.ts'
import { serveStatus } from './served.ts'

const chromium = chromiumPath() ?? ''
let browser: Browser
beforeAll(async () => {
  if (chromium !== '') browser = await launchBrowser(chromium)
})
afterAll(() => browser?.close())

const STATES = { ready: READY, degraded: DEGRADED, failing: FAILING, starting: STARTING }
/** Where `npm run test:browser` puts its screenshots; docs/images has the upper parts of three. */
const SCREENSHOTS = 'coverage/screenshots'

const Violations = z.object({
  violations: z.array(z.object({ id: z.string(), nodes: z.array(z.object({ html: z.string() })) })),
})

/** Returns the accessibility violations that axe, a script, finds, each with its first element. */
async function findViolations(page: Page): Promise<(readonly [string, string | undefined])[]> {
  const source = fileURLToPath(import.meta.resolve('axe-core/axe.min.js'))
  await page.evaluate(await readFile(source, 'utf8'))
  const { violations } = Violations.parse(await page.evaluate('axe.run()'))
  return violations.map(({ id, nodes }) => [id, nodes[0]?.html])
}

/** Returns the matches of a pattern in the texts of the page that are wrapped onto two lines. */
async function findWrapped(page: Page, pattern: RegExp): Promise<unknown> {
  return page.evaluate(`{
    const wrapped = []
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (texts.nextNode()) {
      const node = texts.currentNode
      for (const { index, 0: word } of node.data.matchAll(${String(pattern)})) {
        const range = document.createRange()
        range.setStart(node, index)
        range.setEnd(node, index + word.length)
        const lines = new Set([...range.getClientRects()].map(({ top }) => top))
        if (lines.size > 1) wrapped.push(word)
      }
    }
    wrapped
  }`)
}

/** Matches what lies between punctuation and white space. */
const WORD = /[\p{L}\p{N}]+/gu

/** Returns the texts of problems and sections that are wider than their frame. */
async function findOverflowing(page: Page): Promise<unknown> {
  return page.evaluate(`
    [...document.querySelectorAll('.problem, section')]
      .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
      .map((element) => element.textContent)
  `)
}

interface Seen {
  readonly messages: string[]
  /** URLs; `data:` ones do not count. */
  readonly requests: string[]
  readonly change: Awaited<ReturnType<typeof serveStatus>>['change']
}

/** Opens the page of a document in a browser without scripts, and collects its console messages and requests. */
async function visit(
  document: StatusDocument,
  view: BrowserContextOptions,
  check: (page: Page, seen: Seen) => Promise<void>,
): Promise<void> {
  await using server = await serveStatus(document)
  await using context = await browser.newContext({ javaScriptEnabled: false, ...view })
  const page = await context.newPage()
  const { change } = server
  const seen: Seen = { messages: [], requests: [], change }
  page.on('console', (message) => seen.messages.push(message.text()))
  page.on('pageerror', (error) => seen.messages.push(error.message))
  page.on('dialog', (dialog) => {
    seen.messages.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    if (!request.url().startsWith('data:')) seen.requests.push(request.url())
  })
  await page.goto(`${server.origin}/status`)
  await check(page, seen)
}

describe.skipIf(chromium === '')('the status page in a browser', () => {
  test.each(
    Object.entries(STATES).flatMap(([state, document]) =>
      Object.entries(VIEWS).map(([name, view]) => ({ state, name, document, view })),
    ),
  )(
    'is accessible and loads nothing else in state $state, $name view',
    async ({ state, name, document, view }) => {
      await visit(
        document,
        { ...view, javaScriptEnabled: true },
        async (page, { messages, requests }) => {
          expect(await page.locator('script').count()).toBe(0)
          await mkdir(SCREENSHOTS, { recursive: true })
          await page.screenshot({
            path: `${SCREENSHOTS}/status-${state}-${name}.png`,
            fullPage: true,
          })
          const { width } = view.viewport
          expect(await findViolations(page)).toEqual([])
          expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(
            width,
          )
          expect(await findOverflowing(page)).toEqual([])
          expect(await findWrapped(page, WORD)).toEqual([])
          expect(messages).toEqual([])
          expect(new Set(requests)).toEqual(new Set([page.url()]))
        },
      )
    },
  )

  test('folds the lists on a phone, so that the problems are on its first screens', async () => {
    await visit(FAILING, VIEWS.phone, async (page) => {
      const { height } = VIEWS.phone.viewport
      const list = page.locator('#tokens table')
      expect(await page.evaluate('document.documentElement.scrollHeight')).toBeLessThan(4 * height)
      expect(await list.isVisible()).toBe(false)
      await page.locator('#tokens summary').click()
      expect(await list.isVisible()).toBe(true)
    })
  })

  test('escapes hostile names', async () => {
    await visit(hostile(), VIEWS.light, async (page, { messages, requests }) => {
      expect(await page.locator('script, img, svg[onload], b').count()).toBe(0)
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain(
        '<script>alert(2)</script>',
      )
      expect(messages).toEqual([])
      expect(new Set(requests)).toEqual(new Set([page.url()]))
    })
  })

  test('blocks injected scripts by its Content-Security-Policy', async () => {
    const view = { ...VIEWS.light, javaScriptEnabled: true }
    await visit(READY, view, async (page, { messages }) => {
      const ran = await page.evaluate(`
        const script = document.createElement('script')
        script.textContent = 'globalThis.ran = true'
        document.body.append(script)
        'ran' in globalThis
      `)
      expect(ran).toBe(false)
      expect(messages.join()).toMatch(/Content Security Policy/)
    })
  })

  test('shows a new state by itself once it is told to reload every ten seconds', async () => {
    await visit(DEGRADED, VIEWS.light, async (page, { change, requests }) => {
      await page.getByRole('link', { name: 'every 10 s' }).click()
      await page.waitForURL(/status\?refresh$/)
      change(FAILING)
      await page.getByText('Failing: no token').waitFor()
      expect(await page.title()).toMatch(/^Failing: no token/)
      // The visit, the click and a reload.
      expect(requests.length).toBeGreaterThan(2)
      expect(new Set(requests.slice(1))).toEqual(new Set([page.url()]))
      await page.getByRole('link', { name: 'once' }).click()
      await page.waitForURL(/status$/)
    })
  })
})
