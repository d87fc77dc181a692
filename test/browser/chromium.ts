/** Chromium, if the machine has it. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Returns the path of Chromium; prints a line and returns undefined if there is none. */
export function chromiumPath(): string | undefined {
  const found = PLACES.find((path) => existsSync(path))
  if (found === undefined) {
    process.stdout.write(`skipped: there is no Chromium at ${PLACES.join(' or ')}\n`)
  }
  return found
}

interface View {
  readonly colorScheme: 'light' | 'dark'
  readonly width: number
  readonly javaScriptEnabled?: boolean
}

export const VIEWS = {
  light: { colorScheme: 'light', width: 1280 },
  dark: { colorScheme: 'dark', width: 1280 },
  phone: { colorScheme: 'light', width: 360 },
} as const satisfies Record<string, View>

/** Starts a browser with an empty profile and without background requests. Use it with `await using`. */
export async function browse(
  executablePath: string,
  { colorScheme, width, javaScriptEnabled = true }: View,
): Promise<{ context: BrowserContext } & AsyncDisposable> {
  const profile = await mkdtemp(join(tmpdir(), 'wimds-browser-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    colorScheme,
    javaScriptEnabled,
    viewport: { width, height: 900 },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  return {
    context,
    [Symbol.asyncDispose]: async () => {
      await context.close()
      await rm(profile, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}
