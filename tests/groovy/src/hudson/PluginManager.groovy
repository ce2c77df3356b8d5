package hudson

import groovy.transform.CompileStatic
import hudson.util.VersionNumber
import standin.Version

@CompileStatic
class PluginManager {
    final ClassLoader uberClassLoader = PluginManager.classLoader
    final List<PluginWrapper> plugins = Version.PLUGINS.collect { name, version -> new PluginWrapper(name, version) }
    PluginWrapper getPlugin(String shortName) { plugins.find { it.shortName == shortName } }
}

@CompileStatic
class PluginWrapper {
    final String shortName
    final String version

    PluginWrapper(String shortName, String version) {
        this.shortName = shortName
        this.version = version
    }

    VersionNumber getVersionNumber() { new VersionNumber(version) }
    boolean isActive() { true }
    boolean isEnabled() { true }
}
