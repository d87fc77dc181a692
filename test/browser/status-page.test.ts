import { mkdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { StatusDocument } from '../../src/sidecar/telemetry/status-schema.ts'
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

/** Returns the accessibility violations that axe finds, each with its first element. */
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

/** Returns the texts of problems, commands and tables that are wider than their frame. */
async function findOverflowing(page: Page): Promise<unknown> {
  return page.evaluate(`
    [...document.querySelectorAll('.problem, .command, section')]
      .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
      .map((element) => element.textContent)
  `)
}

interface Seen {
  readonly messages: string[]
  /** URLs; `data:` ones do not count. */
  readonly requests: string[]
  readonly server: Awaited<ReturnType<typeof serveStatus>>
}

/** Opens the page of a document, and collects console messages and requests of the browser. */
async function visit(
  document: StatusDocument,
  view: BrowserContextOptions,
  check: (page: Page, seen: Seen) => Promise<void>,
): Promise<void> {
  await using server = await serveStatus(document)
  await using context = await browser.newContext(view)
  const page = await context.newPage()
  const seen: Seen = { messages: [], requests: [], server }
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
      await visit(document, view, async (page, { messages, requests }) => {
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
      })
    },
  )

  test('works with the keyboard alone', async () => {
    await visit(FAILING, VIEWS.light, async (page) => {
      const focused = () => page.locator(':focus').textContent()
      for (const name of ['Pause', 'Copy', 'Copy', 'Copy', /^Troubleshooting/]) {
        await page.keyboard.press('Tab')
        expect(await focused()).toMatch(name)
      }
    })
  })

  test('escapes hostile names', async () => {
    await visit(hostile(), VIEWS.light, async (page, { messages, requests }) => {
      expect(await page.locator('body > script').count()).toBe(1)
      expect(await page.locator('main script, header script, img, svg[onload], b').count()).toBe(0)
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain(
        '<script>alert(2)</script>',
      )
      expect(messages).toEqual([])
      expect(new Set(requests)).toEqual(new Set([page.url()]))
    })
  })

  test('blocks injected scripts by its Content-Security-Policy', async () => {
    await visit(READY, VIEWS.light, async (page, { messages }) => {
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

  test('shows a new state by itself, and keeps focus and scroll position', async () => {
    await visit(DEGRADED, VIEWS.light, async (page, { server, messages, requests }) => {
      await page.getByRole('button', { name: 'Copy' }).focus()
      await page.evaluate('scrollTo(0, 400)')
      expect(await page.getByText('federated_credential_not_found').count()).toBe(0)
      server.change(FAILING)
      await page.getByText('Failing: no token').waitFor()
      expect(await page.title()).toMatch(/^Failing: no token/)
      expect(
        await page.getByRole('heading', { name: 'No token for https://vault.azure.net' }).count(),
      ).toBe(1)
      expect(await page.evaluate('document.activeElement.closest("main") !== null')).toBe(true)
      expect(await page.evaluate('scrollY')).toBeGreaterThan(0)
      expect(requests.length).toBeGreaterThan(1)
      expect(new Set(requests)).toEqual(new Set([page.url()]))
      expect(messages).toEqual([])
      expect(await findViolations(page)).toEqual([])
    })
  })

  test('does not change while text is selected', async () => {
    await visit(READY, VIEWS.light, async (page, { server, requests }) => {
      await page.evaluate(`getSelection().selectAllChildren(document.querySelector('#tokens'))`)
      server.change(FAILING)
      const count = requests.length
      await expect.poll(() => requests.length, { timeout: 15_000 }).toBeGreaterThan(count)
      expect(await page.evaluate('getSelection().toString()')).toContain('in 21 h')
      await page.evaluate('getSelection().removeAllRanges()')
      await page.getByText('Failing: no token').waitFor()
    })
  })

  test('can be paused', async () => {
    await visit(READY, VIEWS.light, async (page, { server, requests }) => {
      await page.getByRole('button', { name: 'Pause' }).click()
      await page.getByText('Paused. As of 12:00:00 UTC').waitFor()
      server.change(FAILING)
      const count = requests.length
      // Longer than two intervals, in the time of the page.
      await page.clock.install()
      await page.clock.runFor(11_000)
      expect(requests.length).toBe(count)
      await page.getByRole('button', { name: 'Resume' }).click()
      await page.getByText('Failing: no token').waitFor()
    })
  })

  test('says when the sidecar does not answer any more', async () => {
    await visit(READY, VIEWS.light, async (page, { server }) => {
      await server.close()
      await page
        .getByText('As of 12:00:00 UTC. The sidecar or the port-forward may have ended')
        .waitFor()
      expect(await page.getByRole('status').textContent()).toBe('No answer')
      expect(await page.title()).toBe('No answer: shop/orders')
      expect(await findViolations(page)).toEqual([])
      await page.screenshot({ path: `${SCREENSHOTS}/no-answer-light.png`, fullPage: true })
    })
  })

  test('recovers when the sidecar answers again', async () => {
    await visit(READY, VIEWS.light, async (page) => {
      const title = await page.title()
      await page.route('**/status', (route) => route.abort())
      await page.getByText('may have ended').waitFor()
      await page.unroute('**/status')
      await page.getByText('Live. As of').waitFor()
      expect((await page.getByRole('status').textContent())?.trim()).toBe('Ready')
      expect(await page.title()).toBe(title)
    })
  })

  test('copies a command', async () => {
    await visit(FAILING, VIEWS.light, async (page) => {
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
      await page.getByRole('button', { name: 'Copy' }).nth(1).click()
      await page.getByRole('button', { name: 'Copied' }).waitFor()
      const copied = await page.evaluate('navigator.clipboard.readText()')
      expect(copied).toContain('--subject system:serviceaccount:shop:orders \\\n')
    })
  })

  test('says the same without scripts', async () => {
    await visit(FAILING, { ...VIEWS.light, javaScriptEnabled: false }, async (page) => {
      expect(await page.getByText('As of 12:00:00 UTC').isVisible()).toBe(true)
      expect(await page.getByRole('button').count()).toBe(0)
      expect(await page.getByText('az identity federated-credential create').isVisible()).toBe(true)
      expect(await page.getByRole('link', { name: 'Reload' }).first().isVisible()).toBe(true)
    })
  })
})
