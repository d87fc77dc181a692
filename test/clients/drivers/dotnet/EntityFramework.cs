// Entity Framework Core with SQL Server: a context opens its connection.
using Microsoft.EntityFrameworkCore;

public sealed class Shop(string connectionString) : DbContext
{
    protected override void OnConfiguring(DbContextOptionsBuilder options) => options.UseSqlServer(connectionString);
}

public static class EntityFramework
{
    [ModuleInitializer]
    internal static void Add()
    {
        Driver.Clients["entity-framework"] = request => () => Open("Active Directory Managed Identity", request);
        Driver.Clients["entity-framework-default"] = request => () => Open("Active Directory Default", request);
    }

    private static async Task<(string, DateTimeOffset?)> Open(string authentication, Request request)
    {
        using var shop = new Shop(SqlServer.ConnectionString(authentication, request.Id));
        await shop.Database.OpenConnectionAsync();
        return await Driver.ReadLastToken();
    }
}
