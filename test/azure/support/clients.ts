/** Runs three generations of the SDK in a pod of each routing mode. */
import { decodeJwt } from 'jose'
import { ARM, expectThat, readVariable, type Run } from './run-parts.ts'

/** The programs of the image, by the SDK of each. */
const SDKS = {
  '@azure/ms-rest-nodeauth 3.1.1': 'ms-rest-nodeauth',
  '@azure/identity 1.5.2': 'identity-legacy',
  '@azure/identity 4.14.1': 'identity',
} as const

/** Runs each program in a pod of the mode. Returns `passed` for each SDK. Throws an error with their problems. */
export async function checkClients(run: Run, mode: string): Promise<unknown> {
  const { shell } = run.reader
  const pod = `clients-${mode}`
  await shell(`
    kubectl run ${pod} --namespace shop --image "$REGISTRY/wimds-clients:test" \\
      --annotations wimds.io/inject=true --annotations wimds.io/mode=${mode} \\
      --overrides '{"spec":{"serviceAccountName":"orders"}}'
    kubectl wait --namespace shop --for condition=Ready pod/${pod} --timeout 3m`)
  const clientId = await readVariable(run, 'CLIENT_ID')
  const outcomes: Record<string, string> = {}
  for (const [name, program] of Object.entries(SDKS)) {
    const exec = `kubectl exec --namespace shop ${pod} --container ${pod} --`
    outcomes[name] = await shell(`${exec} node ${program}.mjs managed ${ARM}`)
      .then((output) => findProblem(output, clientId) ?? 'passed')
      .catch((error: unknown) => String(error).slice(0, 300))
  }
  const problems = Object.entries(outcomes).filter(([, outcome]) => outcome !== 'passed')
  expectThat(problems.length === 0, problems.map((each) => each.join(': ')).join('\n'))
  return outcomes
}

/** Returns what is wrong with the line of a program: its token must be the identity's, for Resource Manager. */
function findProblem(output: string, clientId: string): string | undefined {
  const { token }: { token: string } = JSON.parse(output)
  const { appid, aud } = decodeJwt(token)
  if (appid !== clientId) return 'the token of another identity'
  return String(aud).startsWith(ARM) ? undefined : `a token for ${String(aud)}`
}
