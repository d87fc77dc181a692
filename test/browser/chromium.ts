/** Chromium, if the machine has it. */
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Returns the path of Chromium; prints a line and returns undefined if there is none. */
export function chromiumPath(): string | undefined {
  const found = PLACES.find((path) => existsSync(path))
  if (found === undefined) {
    process.stdout.write(`skipped: there is no Chromium at ${PLACES.join(' or ')}\n`)
  }
  return found
}

export const VIEWS = {
  light: { colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  phone: { colorScheme: 'light', viewport: { width: 360, height: 900 } },
} as const satisfies Record<string, BrowserContextOptions>

/** Starts a browser without background requests. Each of its contexts has a profile of its own. */
export function launchBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
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
}
