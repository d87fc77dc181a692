/** Deletes the resources that a run has created, also after a failure. */
import { print, type Reader } from './reader.ts'

/**
 * Entra ID lists an application some seconds after its creation. A deleted application can be restored for 30 days. The last
 * command ends that, if the user has the right.
 */
const DELETE_APPLICATION = `
for attempt in 1 2 3 4 5; do
  ids=$(az ad app list --filter "displayName eq '$APP_NAME'" --query '[].id' --output tsv)
  if [ -n "$ids" ]; then break; fi
  sleep 5
done
for id in $ids; do
  az ad app delete --id "$id"
  az rest --method DELETE --url "https://graph.microsoft.com/v1.0/directory/deletedItems/$id" || true
done`

/** Deletes the application and the group. If it cannot delete one of them, prints the command for it and returns false. */
export async function deleteAll(reader: Reader, group: string): Promise<boolean> {
  const remove = async (what: string, commands: string, fix: string) => {
    try {
      await reader.shell(commands)
      process.stdout.write(`deleted: ${what}\n`)
      return true
    } catch (error) {
      process.stderr.write(`${String(error)}\nNOT DELETED: ${what}. Run: ${fix}\n`)
      return false
    }
  }
  const name = await print(reader, 'printf %s "${APP_NAME:-}"')
  const list = `az ad app list --filter "displayName eq '${name}'" --query '[].id' --output tsv`
  const deleteGroup = `az group delete --name '${group}' --yes`
  const ofGroup = `if [ "$(az group exists --name '${group}')" = true ]; then ${deleteGroup}; fi`
  const hasNoApplication =
    name === '' ||
    (await remove(
      `the application ${name}`,
      DELETE_APPLICATION,
      `az ad app delete --id "$(${list})"`,
    ))
  const hasNoGroup = await remove(
    `the resource group ${group}, which costs money`,
    ofGroup,
    deleteGroup,
  )
  return hasNoApplication && hasNoGroup
}
