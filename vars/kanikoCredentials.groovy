// Jenkins credentials -> what the builder logs in with, and what RUN lines may mount.
//
// Secrets stay in the variables of withCredentials, which a shell in the builder reads: none is ever in a Groovy
// string, among the arguments of a process or in the log.

import com.cloudbees.groovy.cps.NonCPS

/**
 * Calls body once with a login while the credentials that credentialsId and secrets name are bound; returns what it
 * returns. Fails when Jenkins does not have one of them as a kind that serves.
 *
 * Options are as kanikoArguments.complete returns them. The login is [script: lines for the builder's shell, to run
 * before the engine, env: what withEnv must set around both, secrets: id -> 'env=NAME' or 'src=PATH']. The script
 * writes a docker config below scratch: the caller removes that folder.
 */
def bound(Map options, String scratch, Closure body) {
    Map registries = idsByRegistry(options)
    String problem = wrongRegistries(registries)
    if (problem) {
        error("kanikoBuild: credentialsId: ${problem}")
    }
    List<String> loginKinds = ['username with password'] + (options.credentialsId instanceof Map ? [] : ['secret file'])
    List<Map> logins = found('credentialsId', registries, 'LOGIN', loginKinds)
    List<Map> secrets = found('secrets', options.secrets ?: [:], 'SECRET', ['secret text', 'secret file'])
    if (!logins && !secrets) {
        return body.call([script: '', env: [], secrets: [:]])
    }
    List bindings = []
    for (credential in logins + secrets) {
        bindings.add(bindingOf(credential))
    }
    String script = logins ? loginScript(logins) : ''
    List<String> variables = logins ? ['DOCKER_CONFIG=' + scratch + '/docker'] : []
    return withCredentials(bindings) {
        return body.call([script: script, env: variables, secrets: mounts(secrets)])
    }
}

/** Each credential as [name, id, kind, variable], with the first of the kinds that Jenkins has it as. */
private List<Map> found(String option, Map idsByName, String prefix, List<String> kinds) {
    List<Map> result = []
    for (name in idsByName.keySet()) {
        String variable = "JENKINS_KANIKO_${prefix}_${result.size() + 1}"
        Map credential = [name: name, id: idsByName[name], variable: variable]
        result.add(credential + [kind: kindOf(option, credential, kinds)])
    }
    return result
}

/** No binding takes a credential of any kind, so each is tried around nothing: the body of the build runs once. */
private String kindOf(String option, Map credential, List<String> kinds) {
    String said = ''
    for (kind in kinds) {
        try {
            withCredentials([bindingOf(credential + [kind: kind])]) { }
            return kind
        } catch (Exception refused) {
            // its class is the plugin's own, which a library cannot import everywhere
            if (refused.class.simpleName != 'CredentialNotFoundException') {
                throw refused
            }
            said = refused.message
        }
    }
    error("kanikoBuild: ${option} '${credential.id}': tried as ${kinds.join(' and as ')}: ${said}")
}

private def bindingOf(Map credential) {
    switch (credential.kind) {
        case 'secret text': return string(credentialsId: credential.id, variable: credential.variable)
        case 'secret file': return file(credentialsId: credential.id, variable: credential.variable)
    }
    return usernamePassword(
        credentialsId: credential.id,
        usernameVariable: credential.variable + '_USER',
        passwordVariable: credential.variable + '_PASSWORD'
    )
}

/** A file's variable holds its path, which is no secret. */
private Map mounts(List<Map> secrets) {
    Map result = [:]
    for (secret in secrets) {
        boolean isText = secret.kind == 'secret text'
        result[secret.name] = isText ? 'env=' + secret.variable : 'src=' + env[secret.variable]
    }
    return result
}

// --- registries ------------------------------------------------------------------------------------------------------

/** Registry, as a docker config names it -> credential; empty without credentialsId. */
@NonCPS
Map idsByRegistry(Map options) {
    def given = options.credentialsId
    if (!given) {
        return [:]
    }
    Map ids = given instanceof Map ? given : [(hostOf(options.image)): given]
    return ids.collectEntries { host, id -> [configKey(host), id] }
}

/** Docker's rule: what is before the first slash is a host if it looks like one, else all is on Docker Hub. */
@NonCPS
private String hostOf(String image) {
    String first = image.contains('/') ? image.substring(0, image.indexOf('/')) : ''
    return first ==~ /.*[.:].*|localhost/ ? first : 'docker.io'
}

/** Docker Hub has a name of its own in a docker config. */
@NonCPS
private String configKey(String host) {
    return host in ['docker.io', 'index.docker.io'] ? 'https://index.docker.io/v1/' : host
}

/** What is not a registry, or cannot go together; empty when all is well. Registries become JSON and shell words. */
@NonCPS
String wrongRegistries(Map ids) {
    String form = /[A-Za-z0-9.-]+(:[0-9]+)?|https:\/\/index\.docker\.io\/v1\//
    List<String> wrong = ids.keySet().toList().findAll { !(it ==~ form) }
    if (wrong) {
        return wrong.collect { "'" + it + "' is not a registry; host or host:port is expected" }.join('; ')
    }
    // the engine reads one access key from its environment
    boolean keys = ids.findAll { isEcr(it.key) }.values().toSet().size() > 1
    return keys ? 'registries of ECR need the same credential, as a build has one AWS access key' : ''
}

/** Amazon's registries, private and public: https://docs.aws.amazon.com/AmazonECR */
@NonCPS
private boolean isEcr(String registry) {
    return registry ==~ /[0-9]{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?|public\.ecr\.aws/
}

// --- what runs in the builder ----------------------------------------------------------------------------------------

/**
 * Shell lines (busybox, dash, bash) that write $DOCKER_CONFIG/config.json. printf is part of the shell, so no process
 * has a secret among its arguments. DOCKER_AUTH_CONFIG goes before the file in docker's library, which Kaniko uses.
 */
@NonCPS
String loginScript(List<Map> logins) {
    boolean isWhole = logins[0].kind == 'secret file'
    String config = isWhole ? 'config=$(cat "$' + logins[0].variable + '") || exit\n' : accounts(logins)
    return '''set +x
unset DOCKER_AUTH_CONFIG
''' + config + '''mkdir -p "${DOCKER_CONFIG%/*}"
(umask 077; mkdir -p "$DOCKER_CONFIG"; printf '%s\\n' "$config" > "$DOCKER_CONFIG/config.json") || exit
'''
}

/** An account of ECR is an AWS access key for the helper in the builder's image, unless it is the user of a token. */
@NonCPS
private String accounts(List<Map> logins) {
    String calls = logins.collect {
        String account = isEcr(it.name) ? 'ecr_account' : 'account'
        return account + " '" + it.name + "' \"\$" + it.variable + '_USER" "$' + it.variable + '_PASSWORD"\n'
    }.join('')
    return '''auths=
helpers=
account() {
    auths="$auths,$(printf '"%s":{"auth":"%s"}' "$1" "$(printf %s "$2:$3" | base64 | tr -d '\\n')")"
}
ecr_account() {
    if [ "$2" = AWS ]; then account "$@"; return; fi
    helpers="$helpers,$(printf '"%s":"ecr-login"' "$1")"
    export AWS_ACCESS_KEY_ID="$2" AWS_SECRET_ACCESS_KEY="$3"
}
''' + calls + '''config=$(printf '{"auths":{%s},"credHelpers":{%s}}' "${auths#,}" "${helpers#,}")
'''
}
