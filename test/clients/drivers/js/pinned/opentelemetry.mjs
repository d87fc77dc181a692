// @opentelemetry/resource-detector-azure: prints the attributes that its detector of virtual machines reports.
import { azureVmDetector } from '@opentelemetry/resource-detector-azure'

const entries = Object.entries(azureVmDetector.detect().attributes ?? {})
const attributes = Object.fromEntries(
  await Promise.all(entries.map(async ([name, value]) => [name, await value])),
)
process.stdout.write(`${JSON.stringify({ attributes })}\n`)
