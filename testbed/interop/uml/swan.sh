# strongSwan in the guest: shell functions, from settings in the environment. Everything lies below /run.
#   IPSEC=VERSION:IKE:ESP  IKE version and proposals, as in 2:aes256gcm16-prfsha256-ecp256:aes256gcm16; ESP may be ah=PROPOSAL
#   GATEWAY=A              the only peer; unset: anybody on 192.0.2.0/24
#   START=trap|none        whether packets start it (default: trap), or only the peer and swanctl do
#   AUTH=psk|pubkey PSK=   how both sides authenticate; pubkey takes CERT.pem and CERT.key of /run/peer/pki, and ca.pem, ca.crl there
#   CERT= ID= PEERID=      file name; our identity (default: NBMA, or the certificate's subject), and the peer's (default: any)
#   MODE= DPD= IKE_REKEY= ESP_REKEY= REKEY_BYTES=   as swanctl.conf has them
#   AGGRESSIVE=yes         IKEv1 aggressive mode
export STRONGSWAN_CONF=/run/strongswan.conf SWANCTL_DIR=/run/swanctl

swan_modules() { # before the first SA: what the kernel asks for later comes too late for it
	/run/modprobe -a -q esp4 ah4 xfrm_user af_key xfrm4_tunnel xt_policy seqiv echainiv authenc authencesn hmac md5 sha1_generic \
		sha256_generic sha512_generic des_generic aes_generic cbc ctr gcm ghash-generic crypto_null chacha20poly1305 chacha_generic poly1305_generic || :
}

swan_write() {
	IFS=: read -r version ike esp <<-X
		$IPSEC
	X
	mkdir -p $SWANCTL_DIR/x509 $SWANCTL_DIR/x509ca $SWANCTL_DIR/x509crl $SWANCTL_DIR/private
	rm -f $SWANCTL_DIR/*/*
	auth="auth = ${AUTH:=psk}" remote="id = ${PEERID:-%any}"
	[ "$AUTH" = psk ] && : "${ID:=$NBMA}"
	if [ "$AUTH" = pubkey ]; then
		cp /run/peer/pki/ca.pem $SWANCTL_DIR/x509ca/
		cp /run/peer/pki/ca.crl $SWANCTL_DIR/x509crl/ 2>/dev/null
		cp "/run/peer/pki/$CERT.pem" $SWANCTL_DIR/x509/cert.pem
		cp "/run/peer/pki/$CERT.key" $SWANCTL_DIR/private/cert.key
		auth="$auth
      certs = cert.pem" remote="$remote
      cacerts = ca.pem"
	fi
	case $esp in ah=*) esp="ah_proposals = ${esp#ah=}" ;; *) esp="esp_proposals = $esp" ;; esac
	case ${START:=trap}:$GATEWAY in
	trap:) dynamic="192.0.2.0/24[gre]" ;; # a wildcard trap: one SA for each node that packets go to
	*) dynamic="dynamic[gre]" ;;
	esac
	cat >$SWANCTL_DIR/swanctl.conf <<-X
		connections {
		  peer {
		    version = $version
		    local_addrs = $NBMA
		    remote_addrs = ${GATEWAY:-%any}
		    proposals = $ike
		    rekey_time = ${IKE_REKEY:-24h}
		    dpd_delay = ${DPD:-0s}
		    dpd_timeout = 20s
		    unique = no
		    aggressive = ${AGGRESSIVE:-no}
		    local {
		      $auth
		      ${ID:+id = $ID}
		    }
		    remote {
		      auth = $AUTH
		      $remote
		    }
		    children {
		      gre {
		        mode = ${MODE:-transport}
		        local_ts = dynamic[gre]
		        remote_ts = $dynamic
		        $esp
		        rekey_time = ${ESP_REKEY:-1h}
		        rekey_bytes = ${REKEY_BYTES:-0}
		        start_action = $START
		      }
		    }
		  }
		}
		secrets {
		  ike-any { secret = "${PSK:-nave-secret}" }
		}
	X
}

swan_start() {
	cat >$STRONGSWAN_CONF <<-X
		charon {
		  load_modular = no
		  install_routes = no
		  load = random nonce aes sha1 sha2 md5 mgf1 hmac kdf xcbc cmac gcm ctr gmp gcrypt openssl curve25519 chapoly drbg pem pkcs1 pkcs8 pubkey x509 revocation constraints kernel-netlink socket-default vici
		  retransmit_timeout = 1.0
		  retransmit_tries = 4
		  i_dont_care_about_security_and_use_aggressive_mode_psk = yes
		  filelog {
		    f {
		      path = /var/log/charon.log
		      time_format = %T
		      ike_name = yes
		      flush_line = yes
		      default = 1
		      ike = 2
		      cfg = 2
		    }
		  }
		}
		swanctl {
		  load = random openssl pem pkcs1 pkcs8 x509
		}
	X
	: >/var/log/charon.log
	/usr/lib/ipsec/charon >/var/log/charon.stdout 2>&1 &
	echo $! >/run/swan.pid
	i=0
	while [ ! -S /run/charon.vici ] && [ $i -lt 200 ]; do
		sleep 0.05
		i=$((i + 1))
	done
}

swan_load() { swanctl --load-all --clear --noprompt 2>&1 | grep -v '^no .* found' || :; }

# GRE goes in ESP or not at all, both ways: a trap alone would let it pass while charon has none.
swan_closed() {
	for hook in INPUT:in OUTPUT:out; do
		iptables-legacy -C "${hook%:*}" -p gre -m policy --dir "${hook#*:}" --pol none -j DROP 2>/dev/null ||
			iptables-legacy -A "${hook%:*}" -p gre -m policy --dir "${hook#*:}" --pol none -j DROP
	done
}

# swan_up comes after swan_modules and swan_closed.
swan_up() {
	swan_write
	swan_start
	swan_load
}

# swan_again takes other settings while charon runs on. Nothing of before is left.
swan_again() {
	swanctl --terminate --ike peer --force --timeout 2 >/dev/null 2>&1
	swan_write
	swan_load
}

swan_down() {
	[ -f /run/swan.pid ] || return 0
	p=$(cat /run/swan.pid)
	kill "$p" 2>/dev/null
	kill -CONT "$p" 2>/dev/null # a test may have stopped it
	i=0
	while kill -0 "$p" 2>/dev/null && [ $i -lt 30 ]; do
		sleep 0.1
		i=$((i + 1))
	done
	kill -9 "$p" 2>/dev/null
	rm -f /run/swan.pid /run/charon.vici
	ip xfrm state flush
	ip xfrm policy flush
}
