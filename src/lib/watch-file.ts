/** Follows a file: tells when its content has changed, whichever way it was replaced. */

interface WatchOptions {
  readonly path: string
  /** The content that is in force. */
  readonly text: string
  readonly readText: (path: string) => Promise<string>
  /** Told of each content other than the last one, and when the file cannot be read any more. */
  readonly onChange: () => Promise<void>
}

/** A watch that runs until it is closed. */
export interface FileWatch {
  /** Looks now, and from then on by itself. */
  readonly look: () => Promise<void>
  readonly close: () => void
}

const INTERVAL_MS = 2000

/** Polls, since the swap of a ConfigMap's `..data` link is no change of the file that links through it. */
export function watchFile(options: WatchOptions): FileWatch {
  const { path, readText, onChange } = options
  let last: string | undefined = options.text
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  async function look(): Promise<void> {
    clearTimeout(timer)
    const text = await readText(path).catch(() => undefined)
    const isChanged = text !== last
    last = text
    if (isChanged && !isClosed) await onChange()
    if (!isClosed) timer = setTimeout(() => void look(), INTERVAL_MS).unref()
  }

  return {
    look,
    close: () => {
      isClosed = true
      clearTimeout(timer)
    },
  }
}
