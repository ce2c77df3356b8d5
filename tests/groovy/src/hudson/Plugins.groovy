package hudson

class Util {
    static String fixEmpty(String text) { text ?: null }
    static String fixEmptyAndTrim(String text) { fixEmpty(text?.trim()) }
    static String shown(int number, int blank) { number == blank ? '' : number }
    static int number(String text, int blank) { text?.trim() ? text.toInteger() : blank }
}
class PluginManager {
    final ClassLoader uberClassLoader = PluginManager.classLoader
    final List<PluginWrapper> plugins = Version.PLUGINS.collect { new PluginWrapper(it.key, it.value) }
    PluginWrapper getPlugin(String shortName) { plugins.find { it.shortName == shortName } }
}
class PluginWrapper {
    final boolean active = true, enabled = true
    @DataBound PluginWrapper(final String shortName, final String version) { }
    VersionNumber getVersionNumber() { new VersionNumber(version) }
}
