// The JSON of the few /api/json addresses.
package standin

import groovy.transform.CompileStatic
import hudson.PluginWrapper
import jenkins.model.Jenkins

@CompileStatic
class Api {
    static Map root(Request request) {
        [_class: 'hudson.model.Hudson', assignedLabels: [[name: 'built-in']], mode: 'NORMAL', nodeName: '', numExecutors: 2,
         description: null, jobs: [], quietingDown: false, url: request.url, useCrumbs: true, useSecurity: true, views: []]
    }

    static Map whoAmI(Request request) {
        boolean known = request.user != null
        [_class: 'hudson.security.WhoAmI', anonymous: !known, authenticated: known,
         authorities: known ? ['authenticated'] : ['anonymous'], name: known ? request.user.name : 'anonymous']
    }

    static Map crumb(String crumb) {
        [_class: 'hudson.security.csrf.DefaultCrumbIssuer', crumb: crumb, crumbRequestField: 'Jenkins-Crumb']
    }

    /** With tree=plugins[a,b] only those properties, as asked. */
    static Map plugins(Request request) {
        List<String> wanted = (request.parameters.tree ?: '').find(/(?<=^plugins\[)[^\[\]]+(?=\]$)/)?.tokenize(',')
        List<Map> plugins = Jenkins.get().pluginManager.plugins.collect { describe(it) }
        [_class: 'hudson.LocalPluginManager', plugins: plugins.collect { Map it -> wanted ? it.subMap(wanted) : it }]
    }

    private static Map describe(PluginWrapper plugin) {
        [active: plugin.active, enabled: plugin.enabled, shortName: plugin.shortName, version: plugin.version]
    }
}
