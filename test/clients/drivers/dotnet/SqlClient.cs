// Microsoft.Data.SqlClient: a whole login to a server.
using Microsoft.Data.SqlClient;

public static class SqlClient
{
    [ModuleInitializer]
    internal static void Add()
    {
        Driver.Clients["sql"] = request => () => LogIn("Active Directory Managed Identity", request);
        Driver.Clients["sql-default"] = request => () => LogIn("Active Directory Default", request);
    }

    private static async Task<(string, DateTimeOffset?)> LogIn(string authentication, Request request)
    {
        using var connection = new SqlConnection(SqlServer.ConnectionString(authentication, request.Id));
        await connection.OpenAsync();
        return await Driver.ReadLastToken();
    }
}
