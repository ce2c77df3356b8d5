package pipeline

import groovy.json.JsonSlurper
import io.fabric8.kubernetes.client.KubernetesClientException
import org.jenkinsci.plugins.credentialsbinding.impl.CredentialNotFoundException
import org.jenkinsci.plugins.workflow.steps.MissingContextVariableException

/** withCredentials, with the credentials of a JSON file: id -> type (usernamePassword, string, file) and its fields. */
class CredentialSteps {
    private final Build build = Build.current

    @Step('bindings')
    Object withCredentials(StepCall call) {
        String folder = "$call.context.folder@tmp/secretFiles/${UUID.randomUUID()}"
        Map<String, String> variables = [:], secret = [:]
        try {
            call.args.bindings.each { Map binding ->
                variables += bind(call, binding, folder)
                secret += variables.subMap([binding.variable, binding.passwordVariable]).findAll { it.key }
            }
            build.log.line("Masking supported pattern matches of ${secret.keySet().collect { '$' + it }.join(' or ')}")
            List<String> secrets = call.context.secrets + secret.values().collectMany { shown(it) }
            return call.body(call.context + [env: call.context.env + variables, secrets: secrets.sort { -it.length() }])
        } finally {
            if (call.context.agent && 'file' in call.args.bindings*.$symbol) { remove(call.context.agent, folder) }
        }
    }

    /** A lost pod took the files with it; how it was lost is what the author must read. */
    private void remove(Agent agent, String folder) {
        try {
            build.cluster.run(agent, 'rm -rf "$1"', [folder])
        } catch (IOException | KubernetesClientException lost) {
            build.log.line("The secret files were not removed: $lost.message")
        }
    }

    private Map<String, String> bind(StepCall call, Map binding, String folder) {
        Map found = find(binding.credentialsId, binding.$symbol.replace('Colon', ''))
        switch (binding.$symbol) {
            case 'string': return [(binding.variable): found.secret]
            case 'usernameColonPassword': return [(binding.variable): "$found.username:$found.password".toString()]
            case 'usernamePassword':
                return [(binding.usernameVariable): found.username, (binding.passwordVariable): found.password]
        }
        if (!call.context.agent) { throw new MissingContextVariableException('hudson.FilePath') }
        String path = "$folder/$found.name"
        FileSteps.write(call.context.agent, path, found.content.getBytes('UTF-8'))
        build.cluster.run(call.context.agent, 'chmod 700 "$1"; chmod 400 "$2"', [folder, path])
        return [(binding.variable): path]
    }

    private Map find(String id, String type) {
        Map found = build.options.credentials ? new JsonSlurper().parse(new File(build.options.credentials))[id] : null
        if (found?.type == type) { return found }
        throw new CredentialNotFoundException(!found ? "Could not find credentials entry with ID '$id'"
            : "Credentials '$id' is of type '$found.type' where '$type' was expected")
    }

    /** The ways a secret shows up in a log: its lines, and as `set -x` of dash and of bash quotes them. */
    private static List<String> shown(String secret) {
        return secret.readLines().collectMany { [it, it.replace("'", "'\"'\"'"), it.replace("'", "'\\''")] }.findAll()
    }
}
