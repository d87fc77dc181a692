public static class SqlServer
{
    /// <summary>Formats a connection string to the simulated server. 2.1 does not encrypt by default.</summary>
    public static string ConnectionString(string authentication, string userId) =>
        $"{Server};Authentication={authentication}{(userId == "" ? "" : $";User Id={userId}")}";

    public static string Server =>
        $"Server={Environment.GetEnvironmentVariable("WIMDS_TEST_SQL_SERVER")};Database=shop;Encrypt=true;Connect Timeout=60";
}
