/** Watches a file by polling its content. */

interface WatchOptions {
  readonly path: string
  /** The content that the caller already has. */
  readonly text: string
  readonly readText: (path: string) => Promise<string>
  /** Called after each change of the content, also when the file becomes unreadable. */
  readonly onChange: () => Promise<void>
}

/** A watch that runs until it is closed. */
export interface FileWatch {
  /** Reads the file at once, and starts the periodic polling. */
  readonly poll: () => Promise<void>
  readonly close: () => void
}

const INTERVAL_MS = 2000

/**
 * Creates a watch. It polls, because a ConfigMap is replaced by swapping its `..data` link, which does
 * not change the link at the file's own path.
 */
export function watchFile({ path, text, readText, onChange }: WatchOptions): FileWatch {
  let last: string | undefined = text
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  async function poll(): Promise<void> {
    clearTimeout(timer)
    const current = await readText(path).catch(() => undefined)
    const isChanged = current !== last
    last = current
    if (isChanged && !isClosed) await onChange()
    if (!isClosed) timer = setTimeout(() => void poll(), INTERVAL_MS).unref()
  }

  return {
    poll,
    close: () => {
      isClosed = true
      clearTimeout(timer)
    },
  }
}
