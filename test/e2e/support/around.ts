/** The namespace of the simulated Entra ID and of the other helpers of the pods under test. */
import { run } from './run.ts'

export const AROUND = 'wimds-e2e-around'
export const ENTRA_HOST = `entra.${AROUND}.svc.cluster.local`

/** Runs curl in a pod of that namespace, by default in the pod of the simulated Entra ID. Returns the output. */
export async function curlInCluster(
  args: readonly string[],
  { pod = 'entra', input }: { readonly pod?: string; readonly input?: string } = {},
): Promise<string> {
  const inPod = ['exec', '--namespace', AROUND, pod, ...(input === undefined ? [] : ['--stdin'])]
  const curl = ['--', 'curl', '-sS', '-m', '20', ...args]
  return (await run('kubectl', [...inPod, ...curl], { input: input ?? '' })).stdout
}
