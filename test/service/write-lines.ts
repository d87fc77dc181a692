/**
 * Logs to standard output what its parent asks for: that many events at a time, each with its number. Answers how many
 * lines the log has dropped since the start. A path is deleted instead.
 */
import { rmSync } from 'node:fs'
import { createLogger, createLogOutput } from '../../src/service/logger.ts'

const log = createLogger({ level: 'info', out: createLogOutput(process) })
let number = 0

process.on('message', (asked: number | string) => {
  if (typeof asked === 'string') rmSync(asked)
  else {
    for (let index = 0; index < asked; index += 1) {
      number += 1
      log.info('token_obtained', { number, scope: 'x'.repeat(200) })
    }
  }
  process.send?.(log.dropped.get('token_obtained') ?? 0)
})
process.on('disconnect', () => process.exit(0))
