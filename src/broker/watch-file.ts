/** Watches a file by polling its content. */

interface WatchOptions {
  readonly path: string
  /** The content that the caller already has. */
  readonly text: string
  readonly readText: (path: string) => Promise<string>
  /**
   * Called after each change with the content that was read, or the error of reading it. Returns whether it is done
   * with this content: until it is, it is called again at each poll.
   */
  readonly onChange: (content: Promise<string>) => Promise<boolean>
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
  let isDone = true
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  async function poll(): Promise<void> {
    clearTimeout(timer)
    const content = readText(path)
    const current = await content.catch(() => undefined)
    const isDue = current !== last || !isDone
    last = current
    if (isDue && !isClosed) isDone = await onChange(content)
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
