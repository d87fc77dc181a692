/** The part of autocannon that the benchmark calls; the package brings no types. */
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events'

  interface Options {
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
    readonly connections: number
    /** The number of requests. */
    readonly amount: number
    /** Milliseconds between autocannon's own samples. A run ends at a sample. */
    readonly sampleInt: number
  }

  interface Result {
    readonly errors: number
    readonly timeouts: number
    readonly non2xx: number
  }

  /** Emits `response` with (client, statusCode, bytes, milliseconds) for each answer. */
  export default function autocannon(options: Options): EventEmitter & PromiseLike<Result>
}
