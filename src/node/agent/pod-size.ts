/** The size limits of pods of mode `node`, and the problems of larger ones. */
import { GATE } from '../../kubernetes/pod.ts'

/** The API server accepts pods of up to 3 MiB. In JSON a byte of them has up to six bytes, such as \u003c. */
export const MAX_POD_BYTES = 4 * 1024 * 1024
export const POD_TOO_LARGE =
  'the pod has more than 4 MiB as JSON, so the node agent does not serve it. Fix: move large values to a ConfigMap or a Secret'

/** The limit of a gate's variables and mounts. The agent keeps them in memory for each pod. */
const MAX_GATE_BYTES = 32_768

/** Returns a problem if the variables and mounts of a gate are too large. */
export function findSizeProblem(env: object, mounts: object): string | undefined {
  const bytes = Buffer.byteLength(JSON.stringify([env, mounts]))
  if (bytes <= MAX_GATE_BYTES) return undefined
  return `the variables and mounts of the container ${GATE} have ${bytes} bytes, more than ${MAX_GATE_BYTES}. Fix: shorten its settings, such as WIMDS_PREFETCH`
}
