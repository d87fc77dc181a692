/** All clients of the matrix, and their rows. */
import { DOTNET_CLIENTS } from './clients-dotnet.ts'
import { JAVA_CLIENTS } from './clients-java.ts'
import { JAVASCRIPT_CLIENTS } from './clients-javascript.ts'
import { OTHER_CLIENTS } from './clients-other.ts'
import { PYTHON_CLIENTS } from './clients-python.ts'
import { GO_CLIENTS } from './clients-go.ts'
import { type Client, modesOf, type Row } from './client.ts'

export const CLIENTS: readonly Client[] = [
  ...JAVASCRIPT_CLIENTS,
  ...PYTHON_CLIENTS,
  ...GO_CLIENTS,
  ...JAVA_CLIENTS,
  ...DOTNET_CLIENTS,
  ...OTHER_CLIENTS,
]

export const ALL_ROWS: readonly Row[] = CLIENTS.flatMap((client) =>
  modesOf(client).map((mode) => ({ client, mode })),
)
