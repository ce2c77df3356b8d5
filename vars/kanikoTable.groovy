// Reads the tables that the library and the Python package share.

import com.cloudbees.groovy.cps.NonCPS
import groovy.json.JsonSlurper

/** A JSON file of resources/jenkins_kaniko, as plain maps and lists. */
Map read(String name) {
    return parsed(libraryResource(resource: "jenkins_kaniko/${name}", encoding: 'UTF-8'))
}

@NonCPS
private Map parsed(String json) {
    return plain(new JsonSlurper().parseText(json))
}

/** JsonSlurper's maps cannot be saved with the build; JsonSlurperClassic's can, but the sandbox refuses that class. */
@NonCPS
private def plain(value) {
    if (value instanceof Map) {
        return value.collectEntries { key, item -> [key, plain(item)] }
    }
    return value instanceof List ? value.collect { plain(it) } : value
}
