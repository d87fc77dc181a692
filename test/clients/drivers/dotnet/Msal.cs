// Microsoft.Identity.Client: ManagedIdentityApplication.
using Microsoft.Identity.Client;
using Microsoft.Identity.Client.AppConfig;

public static class Msal
{
    [ModuleInitializer]
    internal static void Add() => Driver.Clients["msal"] = Get;

    private static GetToken Get(Request request)
    {
        var identity = request.Kind switch
        {
            "client-id" => ManagedIdentityId.WithUserAssignedClientId(request.Id),
            "resource-id" => ManagedIdentityId.WithUserAssignedResourceId(request.Id),
            "object-id" => WithObjectId(request.Id),
            _ => ManagedIdentityId.SystemAssigned,
        };
        var application = ManagedIdentityApplicationBuilder.Create(identity).Build();
        return async () =>
        {
            var result = await application.AcquireTokenForManagedIdentity(request.Resource).ExecuteAsync();
            return (result.AccessToken, result.ExpiresOn);
        };
    }

    /// <summary>Creates an identity of an object id, which 4.55 does not have.</summary>
    private static ManagedIdentityId WithObjectId(string id) =>
        (ManagedIdentityId)typeof(ManagedIdentityId).GetMethod("WithUserAssignedObjectId")!.Invoke(null, [id])!;
}
