package io.jenkins.plugins.casc

import groovy.transform.CompileStatic

/** Present as on a controller that has the plugin; loads nothing, and tells the files it was started with. */
@CompileStatic
class ConfigurationAsCode {
    private static final ConfigurationAsCode INSTANCE = new ConfigurationAsCode()

    List<String> sources = []

    static ConfigurationAsCode get() { INSTANCE }
}
