/** Logs as many numbered events to standard output as its parent requests. Replies how many lines the log has dropped. */
import { createLogger, createLogOutput } from '../../src/service/logger.ts'

const log = createLogger({ level: 'info', out: createLogOutput(process) })
let number = 0

process.on('message', (count: number) => {
  for (let index = 0; index < count; index += 1) {
    number += 1
    log.info('token_obtained', { number, scope: 'x'.repeat(200) })
  }
  process.send?.(log.dropped.get('token_obtained') ?? 0)
})
process.on('disconnect', () => process.exit(0))
