/** The log output of long-running commands. */
import { writeSync } from 'node:fs'
import type { CommandIo } from './command.ts'

export interface LogOutput {
  /** Writes a line. Returns false if it is dropped. */
  write(line: string): boolean
}

/** Bytes of buffered lines; further lines are dropped. */
const MAX_BUFFERED = 65_536
/** The time between attempts to write buffered lines while no new line comes. */
const RETRY_MS = 100

/**
 * Creates an output that writes to standard output at once, so that no line is lost when the process ends. It never
 * blocks. Lines that a stalled reader or a full disk does not take are buffered. Once the buffer is full, lines are
 * dropped until all of it has been written, so that a gap is in one place.
 */
export function createLogOutput({ stdout }: Pick<CommandIo, 'stdout'>): LogOutput {
  if (!('fd' in stdout)) {
    return {
      write: (line) => {
        stdout.write(line)
        return true
      },
    }
  }
  const fd = Number(stdout.fd)
  const lines: Buffer[] = []
  let bytes = 0
  let isFull = false
  let timer: NodeJS.Timeout | undefined

  /** Writes line by line: a pipe that several processes share keeps the lines whole, up to 4096 bytes. */
  const flush = () => {
    clearTimeout(timer)
    try {
      for (let line = lines[0]; line !== undefined; line = lines[0]) {
        const written = writeSync(fd, line)
        bytes -= written
        if (written < line.length) lines[0] = line.subarray(written)
        else lines.shift()
      }
      isFull = false
    } catch {
      timer = setTimeout(flush, RETRY_MS).unref()
    }
  }
  return {
    write: (text) => {
      if (bytes > 0) flush()
      const line = Buffer.from(text)
      isFull ||= bytes > 0 && bytes + line.length > MAX_BUFFERED
      if (isFull) return false
      lines.push(line)
      bytes += line.length
      flush()
      return true
    },
  }
}
