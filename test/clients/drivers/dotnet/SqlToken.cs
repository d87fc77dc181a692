// Microsoft.Data.SqlClient 7, which has no authentication by Entra ID of its own: a login by AccessTokenCallback.
using Azure.Core;
using Microsoft.Data.SqlClient;

public static class SqlToken
{
    [ModuleInitializer]
    internal static void Add() => Driver.Clients["sql-callback"] = request => () => LogIn(request);

    private static async Task<(string, DateTimeOffset?)> LogIn(Request request)
    {
        var credential = AzureIdentity.CreateManaged(request);
        using var connection = new SqlConnection(SqlServer.Server);
        connection.AccessTokenCallback = async (parameters, cancellation) =>
        {
            var scope = $"{parameters.Resource}/.default";
            var token = await credential.GetTokenAsync(new TokenRequestContext([scope]), cancellation);
            return new SqlAuthenticationToken(token.Token, token.ExpiresOn);
        };
        await connection.OpenAsync();
        return await Driver.ReadLastToken();
    }
}
